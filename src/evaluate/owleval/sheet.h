// The sheet for raters of OwlEval: one HTML file with everything in it. It shows each question with
// its picture and the answers of all models, unnamed and in an order of its own for each question
// (shown_order()), takes scores from 1 to 5, and keeps the rules of evaluate/owleval/ratings.h.
// Scores are kept in the browser until the rater saves the filled sheet as a JSON file.
//
// Pictures are padded by 8 white pixels on each side and are not turned by their EXIF orientation.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "evaluate/owleval/answers.h"

namespace lynceus::evaluate {

constexpr int kSheetPadding = 8;  ///< pixels of the picture

/// The text of the HTML file. `images`: folder of the pictures; empty: names in place of pictures.
/// InputError for a question without a text, a picture that is missing or damaged (all are listed),
/// and more models than scores without forbidden ties.
std::string make_sheet(const OwlAnswers& answers, uint64_t seed,
                       const std::filesystem::path& images);

}  // namespace lynceus::evaluate
