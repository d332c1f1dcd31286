//! Phone numbers: free text in, E.164 out; countries from free text.
