//! kpkg-kubelet
