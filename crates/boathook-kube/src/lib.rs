//! boathook-kube
