//! Zoho Books: webhooks, payloads, OAuth, API.
