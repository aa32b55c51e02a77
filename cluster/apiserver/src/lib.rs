//! kpkg-apiserver
