//! What an error of the client means, decided by its code.

use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};

use super::{Settings, WAIT_FOR_BROKER};
use crate::source::Error;

/// Kinds of errors by what is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// The client mends it by itself.
    Passing,
    /// A position does not exist.
    Position,
    /// A topic may be missing.
    Topic,
    /// Access is refused.
    Denied,
    /// Credentials are refused.
    Authentication,
    /// No broker answers.
    Unreachable,
    /// The client is of no use any more.
    Fatal,
}

pub(super) fn classify(error: &KafkaError) -> Fault {
    if matches!(error, KafkaError::MessageConsumptionFatal(_)) {
        return Fault::Fatal;
    }
    match error.rdkafka_error_code() {
        Some(RDKafkaErrorCode::AutoOffsetReset | RDKafkaErrorCode::OffsetOutOfRange) => Fault::Position,
        Some(RDKafkaErrorCode::UnknownTopic | RDKafkaErrorCode::UnknownTopicOrPartition | RDKafkaErrorCode::UnknownPartition) => {
            Fault::Topic
        }
        Some(
            RDKafkaErrorCode::TopicAuthorizationFailed
            | RDKafkaErrorCode::GroupAuthorizationFailed
            | RDKafkaErrorCode::ClusterAuthorizationFailed,
        ) => Fault::Denied,
        Some(RDKafkaErrorCode::Authentication | RDKafkaErrorCode::SaslAuthenticationFailed) => Fault::Authentication,
        Some(RDKafkaErrorCode::AllBrokersDown) => Fault::Unreachable,
        Some(RDKafkaErrorCode::Fatal) => Fault::Fatal,
        _ => Fault::Passing,
    }
}

/// The first topic that is not there, or not visible to us; `None` if all are, or if the brokers do not answer now.
pub(super) fn missing_topic<C: ConsumerContext>(consumer: &BaseConsumer<C>, topics: &[String]) -> Option<Error> {
    topics.iter().find_map(|topic| {
        let metadata = consumer.fetch_metadata(Some(topic), WAIT_FOR_BROKER).ok()?;
        let code = metadata.topics().iter().find(|found| found.name() == topic).and_then(rdkafka::metadata::MetadataTopic::error);
        match code.map(RDKafkaErrorCode::from) {
            Some(RDKafkaErrorCode::UnknownTopic | RDKafkaErrorCode::UnknownTopicOrPartition) => {
                Some(Error::UnknownTopic { topic: topic.clone() })
            }
            Some(RDKafkaErrorCode::TopicAuthorizationFailed) => Some(Error::Denied {
                what: format!("reading topic `{topic}`"),
                remedy: format!("READ and DESCRIBE on topic `{topic}`"),
            }),
            _ => None,
        }
    })
}

pub(super) fn denied(error: &KafkaError, settings: &Settings) -> Error {
    let topics = settings.topics.join("`, `");
    match error.rdkafka_error_code() {
        Some(RDKafkaErrorCode::GroupAuthorizationFailed) => Error::Denied {
            what: format!("consumer group `{}`", settings.group),
            remedy: format!("READ on group `{}`", settings.group),
        },
        Some(RDKafkaErrorCode::TopicAuthorizationFailed) => Error::Denied {
            what: format!("reading one of the topics `{topics}`"),
            remedy: format!("READ and DESCRIBE on the topics `{topics}`"),
        },
        _ => Error::Denied { what: error.to_string(), remedy: "DESCRIBE on the cluster".to_owned() },
    }
}

#[cfg(test)]
mod tests {
    use rdkafka::error::{KafkaError, RDKafkaErrorCode};

    use super::{Fault, classify};

    #[test]
    fn errors_are_told_apart_by_their_code() {
        let of = |code| classify(&KafkaError::MessageConsumption(code));
        assert_eq!(of(RDKafkaErrorCode::AutoOffsetReset), Fault::Position);
        assert_eq!(of(RDKafkaErrorCode::UnknownTopicOrPartition), Fault::Topic);
        assert_eq!(of(RDKafkaErrorCode::TopicAuthorizationFailed), Fault::Denied);
        assert_eq!(of(RDKafkaErrorCode::Authentication), Fault::Authentication);
        assert_eq!(of(RDKafkaErrorCode::BrokerTransportFailure), Fault::Passing);
        assert_eq!(of(RDKafkaErrorCode::AllBrokersDown), Fault::Unreachable);
        assert_eq!(classify(&KafkaError::MessageConsumptionFatal(RDKafkaErrorCode::Fenced)), Fault::Fatal);
    }
}
