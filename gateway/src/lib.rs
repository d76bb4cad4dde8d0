//! Yett: the public ingress in front of a cluster.
