//! Twilio: messages, callbacks, error classes.
