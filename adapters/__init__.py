"""NPL's losses in other frameworks. Each adapter imports its framework; `npl` itself imports none."""
