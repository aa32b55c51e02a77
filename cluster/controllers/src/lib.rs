//! kpkg-controllers
