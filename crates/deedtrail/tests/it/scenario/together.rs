//! What holds over all kinds of telemetry: X1 and X2.
