//! kpkg-chart
