//! The integration tests, one program: what the service does with a real broker, a real mail conversation, real files.
//!
//! `support` starts what the tests need (broker, mail server, the service, Python) and ends it; each other module tests
//! one subject. No test needs a network, a fixed port or a human.
#![expect(clippy::disallowed_methods, reason = "tests wait for other processes, so they read the clock and bound the wait")]

#[cfg(test)]
mod support;

#[cfg(test)]
mod agreement;
#[cfg(test)]
mod agreement_expected;
#[cfg(test)]
mod agreement_lake;
#[cfg(test)]
mod agreement_windows;
#[cfg(test)]
mod agreement_words;
#[cfg(test)]
mod architecture;
#[cfg(test)]
mod check;
#[cfg(test)]
mod deployment;
#[cfg(test)]
mod feedback;
mod feedback_cohorts;
#[cfg(test)]
mod kafka_crash;
#[cfg(test)]
mod kafka_service;
#[cfg(test)]
mod kafka_source;
#[cfg(test)]
mod kafka_support;
#[cfg(test)]
mod lake_crash;
#[cfg(test)]
mod lake_views;
#[cfg(test)]
mod mail;
#[cfg(test)]
mod mail_support;
#[cfg(test)]
mod metrics_page;
#[cfg(test)]
mod prices;
#[cfg(test)]
mod recompute;
#[cfg(test)]
mod recovery;
#[cfg(test)]
mod schemas;
#[cfg(test)]
mod secrets;
#[cfg(test)]
mod signals;
