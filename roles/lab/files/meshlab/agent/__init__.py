"""The pod agent: what a kubelet and a container runtime do, for the pods that the lab really runs."""
