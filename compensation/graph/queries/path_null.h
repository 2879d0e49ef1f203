// The null of the query `paths`. The strongest single edges are the same in every graph with the same edge values, and
// the strength of the first is 1 by definition: shuffled over the whole graph, a list of strong edges can never be
// surprising. So a path is held against paths of as many edges, in graphs whose values were exchanged among edges of
// one kind (kinds_of_links()) alone, since near layers make up for more than far ones whatever the ways.
#pragma once

#include <span>

#include "compensation/graph/graph_algorithms.h"
#include "compensation/graph/queries/question.h"
#include "compensation/graph/queries/view.h"

namespace absorb {

/// Paths of up to so many edges are tested.
inline constexpr std::size_t most_tested_edges = 4;

/// [paths x (strength, weakest edge)]. Two questions, each by permutation, adjusted over all paths of 1 to
/// most_tested_edges edges between these ends:
///
/// strength: do strong edges meet? Values are exchanged alike in all seeds, so that what is strong stays strong in
/// every
///   seed and only lies elsewhere. No p for a single edge with two open ends: there the null is the edge itself.
/// weakest edge: are the same edges strong in every seed? Each seed's values are exchanged by themselves. No p for one
///   seed.
///
/// p = (1 + null graphs whose smallest p over the numbers of edges is at most the path's) / (1 + draws), where a
/// graph's p for a number of edges is the share of all graphs, the observed one among them, whose strongest path of so
/// many edges is as strong (single-step min-P of Westfall and Young 1993). `baseline`: the mean over null graphs of the
/// strongest path of as many edges. No p for longer paths, and where no kind has two links.
NullNumbers null_of_paths(const GraphView& view, const PathEnds& ends, std::span<const StrongPath> paths, int64_t draws,
                          Random random);

}  // namespace absorb
