//! kpkg-network
