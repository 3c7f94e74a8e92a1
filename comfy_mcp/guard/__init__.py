"""Who may do what: the policy language, the decision, and the gate every call passes."""
