// Serves sources only: headers include what they need (ATen/core/Tensor.h, not torch/types.h).
#pragma once
#include <torch/types.h>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>
