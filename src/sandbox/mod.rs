//! A small faithful stand-in for Zoho Books and Twilio.

pub mod samples;
