"""Amazon Bedrock, through botocore and aiobotocore."""
