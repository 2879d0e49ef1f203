// How a product is described from its tensors, and the table of pinned algorithms.
#include "tensors/linear/product.h"

#include <gtest/gtest.h>
#include <torch/types.h>

#include <algorithm>

#include "core/error.h"

namespace absorb {
namespace {

Tensor matrix(int64_t rows, int64_t columns, at::ScalarType type = at::kBFloat16) {
  return at::empty({rows, columns}, type);
}

TEST(CoreProduct, IsDescribedByHowItsMatricesLie) {
  const ProductShape shape = product_shape(matrix(24, 40), matrix(40, 16), matrix(24, 16), false);
  EXPECT_EQ(shape.kind, (ProductKind{24, 40, 16, false, false, false, false}));
  EXPECT_EQ(shape.a_stride, 40);
  EXPECT_EQ(shape.b_stride, 16);
  EXPECT_EQ(shape.out_stride, 16);
  const ProductShape other = product_shape(matrix(40, 24).t(), matrix(16, 40).t(), matrix(24, 16, at::kFloat), true);
  EXPECT_EQ(other.kind, (ProductKind{24, 40, 16, true, true, true, true}));
  EXPECT_EQ(other.a_stride, 24);
  EXPECT_EQ(other.b_stride, 40);
}

TEST(CoreProduct, TakesPartsOfWiderMatrices) {
  const ProductShape shape = product_shape(matrix(64, 40).narrow(1, 8, 24).t(), matrix(64, 80).narrow(1, 0, 16),
                                           matrix(24, 32).narrow(1, 0, 16), true);
  EXPECT_EQ(shape.kind, (ProductKind{24, 64, 16, true, false, false, true}));
  EXPECT_EQ(shape.a_stride, 40);
  EXPECT_EQ(shape.b_stride, 80);
  EXPECT_EQ(shape.out_stride, 32);
}

TEST(CoreProduct, GivesAStrideToMatricesOfOneRowOrColumn) {
  // at::empty's strides of a dimension of one element are whatever they are: they must not be taken for a step.
  const Tensor row = matrix(8, 40).select(0, 0).unsqueeze(0).as_strided({1, 40}, {1, 1});
  const ProductShape shape = product_shape(row, matrix(40, 1).as_strided({40, 1}, {1, 7}), matrix(1, 1), false);
  EXPECT_EQ(shape.kind, (ProductKind{1, 40, 1, false, false, false, false}));
  EXPECT_EQ(shape.a_stride, 40);
  EXPECT_EQ(shape.b_stride, 1);
  EXPECT_EQ(shape.out_stride, 1);
}

TEST(CoreProduct, KnowsWhatItsMatricesAreAlignedTo) {
  const auto alignment = [](int64_t columns, int64_t offset) {
    return product_shape(matrix(8, columns).narrow(1, offset, 8), matrix(8, 8), matrix(8, 8), false).alignment;
  };
  EXPECT_EQ(alignment(16, 8), 16);
  EXPECT_EQ(alignment(16, 4), 8);
  EXPECT_EQ(alignment(12, 0), 8);
  EXPECT_EQ(alignment(11, 0), 2);
  EXPECT_EQ(product_shape(matrix(64, 64), matrix(64, 64), matrix(64, 64), false).alignment, 16);
}

TEST(CoreProduct, RefusesWhatCantBeOne) {
  const Tensor a = matrix(8, 16), b = matrix(16, 24), out = matrix(8, 24);
  EXPECT_THROW(product_shape(a.to(at::kFloat), b, out, false), InternalError);
  EXPECT_THROW(product_shape(a, b, out.to(at::kDouble), false), InternalError);
  EXPECT_THROW(product_shape(a, b, matrix(24, 8).t(), false), InternalError);
  EXPECT_THROW(product_shape(a, b.t(), out, false), InternalError);
  EXPECT_THROW(product_shape(a.as_strided({4, 4}, {8, 2}), matrix(4, 24), matrix(4, 24), false), InternalError);
  EXPECT_THROW(product_shape(a.expand({2, 8, 16}), b, out, false), InternalError);
}

TEST(CoreProduct, IsFoundInATableByItsKindAlone) {
  const std::vector<PinnedProduct> rows = {{{8, 16, 24, false, false, false, false}, {1}},
                                           {{8, 16, 24, false, true, false, false}, {2}},
                                           {{8, 16, 32, false, false, false, false}, {3}}};
  const PinnedProducts table{.version = 1, .capability = 90, .multiprocessors = 132, .products = rows};
  for (const PinnedProduct& row : rows)
    EXPECT_EQ(table.find(row.kind),
              &*std::find_if(rows.begin(), rows.end(), [&](const PinnedProduct& r) { return r.kind == row.kind; }));
  EXPECT_EQ(table.find({8, 16, 24, false, false, false, true}), nullptr);
  EXPECT_EQ(table.find({9, 16, 32, false, false, false, false}), nullptr);
  EXPECT_EQ(PinnedProducts{}.find(rows[0].kind), nullptr);
}

TEST(CoreProduct, HasATableInTheOrderThatItIsSearchedIn) {
  const PinnedProducts& table = pinned_products();
  EXPECT_FALSE(table.products.empty());
  for (std::size_t i = 0; i < table.products.size(); ++i) {
    const PinnedProduct& row = table.products[i];
    EXPECT_EQ(table.find(row.kind), &row) << i;
    EXPECT_NE(row.algorithm, ProductAlgorithm{}) << i;
    if (i > 0) EXPECT_LT(table.products[i - 1].kind, row.kind) << i;
  }
}

}  // namespace
}  // namespace absorb
