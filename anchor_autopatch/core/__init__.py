"""What the host half and the job half share: records, outbox format, hosts, scrubbing, settings."""
