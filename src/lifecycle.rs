//! Signals, soft and hard cancellation, the task tracker.
