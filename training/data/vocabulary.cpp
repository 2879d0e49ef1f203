#include "training/data/vocabulary.h"

#include "training/data/source.h"

namespace absorb {

int64_t stated_vocabulary(const DataSettings& data) {
  return make_source(data)->vocabulary();
}

}  // namespace absorb
