//! Routing rules: event type and conditions lead to channel, recipient, sender and template.
