#include "core/product.h"

namespace absorb {

const PinnedProducts& pinned_products() {
  static const PinnedProducts none;
  return none;
}

}  // namespace absorb
