"""The Kafka protocol, by librdkafka."""
