//! A general job queue; it knows nothing of Zoho or Twilio.
