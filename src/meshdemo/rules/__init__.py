"""What Istio's rules mean, once for all who ask: translation, promise, warnings, comparison."""
