// A contact sheet: one HTML file with everything in it, for people who want to see what a model
// answers: the scores, and every item with its pictures, question, answer and reference, right or
// wrong, by set and class. Buttons show all items, the right or the wrong ones. It needs no script.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "evaluate/evaluation.h"
#include "evaluate/picture.h"

namespace lynceus::evaluate {

/// The pictures of an item of the evaluation, by its number; may be none.
using PicturesOf = std::function<std::vector<EmbeddedPicture>(size_t item)>;

/// The text of the HTML file.
std::string make_contact_sheet(const Evaluation& evaluation, const PicturesOf& pictures_of);

}  // namespace lynceus::evaluate
