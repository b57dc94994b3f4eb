//! Groundwire turns three streams of events about generative-AI workloads (gateway logs, user feedback, pipeline events)
//! into trustworthy numbers in Parquet and timely alerts by mail.
//!
//! Modules are declared in reading order: from the events, over the pure core that scores and measures them, to the log
//! that makes results true, and outwards to the tasks that do I/O.

pub mod alert;
pub mod decode;
pub mod evaluate;
pub mod evaluator;
pub mod event;
pub mod ingest;
pub mod join;
pub mod lake;
pub mod log;
pub mod measure;
pub mod notify;
pub mod score;
pub mod source;

pub mod config;
pub mod demo;
pub mod http;
pub mod runtime;
pub mod telemetry;

pub mod cli;
