// Points in time as text: UTC in files, local time in the log.
#pragma once

#include <optional>
#include <string>

namespace lynceus {

/// Seconds since 1970 by the system's clock.
double unix_now();
/// "2024-05-01T12:00:00.000Z", of constant length.
std::string utc_text(double unix_seconds);
/// The seconds since 1970 of such a text; nullopt for another form.
std::optional<double> parse_utc(const std::string& text);
/// "2024-05-01 14:00:00" in the time zone of this machine.
std::string local_text(double unix_seconds);

}  // namespace lynceus
