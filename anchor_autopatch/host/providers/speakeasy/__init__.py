"""What the SDKs made by the Speakeasy generator share."""
