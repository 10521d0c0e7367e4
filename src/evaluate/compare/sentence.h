// The sentences of a comparison: whether a difference is shown, or why there is none to show.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "evaluate/compare/compare.h"

namespace lynceus::evaluate {

/// Of a comparison with pairs, whose `is_shown` is set.
std::string sentence_of(const Comparison& comparison);
/// No item is in both files, or none is scored in both.
std::string without_pairs(const Comparison& comparison);
/// Only one of the files has the set.
std::string without_partner(const Comparison& comparison);
/// The judges of the two files differ.
std::string without_common_judge(const Comparison& comparison,
                                 const std::map<std::string, std::vector<const Item*>>& first,
                                 const std::map<std::string, std::vector<const Item*>>& second);

/// "openvqa images"; without a set only the benchmark.
std::string set_name(const std::string& benchmark, const std::string& set);
/// A difference with its sign: of shares in points, "+5.3", else "+0.0530".
std::string signed_figure(double difference, bool is_share);
/// "0.012"; below 0.001 "1.2e-05".
std::string p_text(double p);

}  // namespace lynceus::evaluate
