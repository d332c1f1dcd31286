//! Door two: jobs.
