"""What is true: values, rules, risk, and the state machine; pure, without I/O and without Kubernetes."""
