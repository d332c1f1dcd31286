//! Brakes per connection: concurrency, rate, pause and breaker.
