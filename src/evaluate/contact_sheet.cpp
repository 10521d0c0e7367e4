#include "evaluate/contact_sheet.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <utility>

#include "evaluate/contact_sheet_page.h"
#include "evaluate/words.h"

namespace lynceus::evaluate {
namespace {

/// `text` as HTML shows it.
std::string escaped(const std::string& text) {
  std::string html = replaced(text, "&", "&amp;");
  html = replaced(html, "<", "&lt;");
  html = replaced(html, ">", "&gt;");
  return replaced(html, "\"", "&quot;");
}

std::string scores_html(const Evaluation& evaluation) {
  std::string html = "<table>\n";
  const char* cell = "th";
  for (const std::vector<std::string>& row : evaluation.table.rows) {
    html += "<tr>";
    for (size_t column = 0; column < row.size(); ++column)
      html += fmt::format("<{0}{1}>{2}</{0}>", cell,
                          column < evaluation.table.text_columns ? "" : " class=\"number\"",
                          escaped(row[column]));
    html += "</tr>\n";
    cell = "td";
  }
  html += "</table>\n";
  for (const std::string& note : evaluation.table.notes)
    html += fmt::format("<p>{}</p>\n", escaped(note));
  return html;
}

std::string item_html(const Item& item, const std::vector<EmbeddedPicture>& pictures) {
  const char* state = !item.right ? "open" : *item.right ? "right" : "wrong";
  std::string html = fmt::format("<figure class=\"{}\" id=\"{}\">", state, escaped(item.id));
  for (const EmbeddedPicture& picture : pictures)
    html += fmt::format("<img src=\"{}\" width=\"{}\" height=\"{}\" alt=\"\">", picture.source,
                        picture.width, picture.height);
  html += fmt::format(
      "<figcaption><p class=\"question\">{}</p><p class=\"answer\">{}</p><p class=\"mark\">{}</p>",
      escaped(item.question), escaped(item.answer), item.right ? state : "not judged");
  if (!item.right.value_or(false))
    html += fmt::format("<p class=\"reference\">reference: {}</p>", escaped(item.reference));
  return html + "</figcaption></figure>\n";
}

/// "questions, Color".
std::string heading_of(const Item& item) {
  if (item.class_.empty()) return item.set;
  return item.set.empty() ? item.class_ : fmt::format("{}, {}", item.set, item.class_);
}

/// The items under the heading of their set and class, in the order of their first items.
std::string items_html(const Evaluation& evaluation, const PicturesOf& pictures_of) {
  std::vector<std::pair<std::string, std::string>> sections;  // heading, HTML
  for (size_t i = 0; i < evaluation.items.size(); ++i) {
    const std::string heading = heading_of(evaluation.items[i]);
    auto section = std::find_if(sections.begin(), sections.end(),
                                [&](const auto& known) { return known.first == heading; });
    if (section == sections.end()) section = sections.insert(section, {heading, ""});
    section->second += item_html(evaluation.items[i], pictures_of(i));
  }
  std::string html;
  for (const auto& [heading, items] : sections)
    html += fmt::format("<h2>{}</h2>\n<div class=\"items\">\n{}</div>\n", escaped(heading), items);
  return html;
}

}  // namespace

std::string make_contact_sheet(const Evaluation& evaluation, const PicturesOf& pictures_of) {
  std::string page = replaced(kContactSheetPage, "@TITLE@",
                              escaped(fmt::format("Answers: {}", evaluation.benchmark)));
  page = replaced(page, "@SCORES@", scores_html(evaluation));
  page = replaced(page, "@PROTOCOL@",
                  escaped(fmt::format("{}", fmt::join(card_lines(evaluation), "\n"))));
  // Last: what a model answers may contain the other marks.
  return replaced(page, "@ITEMS@", items_html(evaluation, pictures_of));
}

}  // namespace lynceus::evaluate
