// Precompiled for every test binary.
#include "base/pch.h"

#include <arrow/api.h>
#include <gtest/gtest.h>
