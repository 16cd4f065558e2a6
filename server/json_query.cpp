#include "server/json_query.hpp"

#include <nlohmann/json.hpp>

#include <string>
#include <utility>

namespace ranged::server {

namespace {

/// Takes the values of one object as they are read, and stops at what is none of ours: nothing is built of it.
class MemberReader final : public nlohmann::json_sax<nlohmann::json> {
 public:
  bool null() override { return false; }
  bool boolean(bool) override { return false; }
  bool number_integer(number_integer_t value) override { return take(std::to_string(value)); }
  bool number_unsigned(number_unsigned_t value) override { return take(std::to_string(value)); }
  bool number_float(number_float_t, const string_t& text) override { return take(text); }
  bool string(string_t& value) override { return take(value); }
  bool binary(binary_t&) override { return false; }
  bool start_object(std::size_t) override { return !std::exchange(begun_, true); }
  bool key(string_t& name) override {
    if (!query_.empty()) query_ += '&';
    append(name);
    return true;
  }
  bool end_object() override { return true; }
  bool start_array(std::size_t) override { return false; }
  bool end_array() override { return false; }
  bool parse_error(std::size_t, const std::string&, const nlohmann::json::exception&) override { return false; }

  [[nodiscard]] std::string take_query() { return std::move(query_); }

 private:
  bool take(std::string_view value) {
    if (!begun_) return false;
    query_ += '=';
    append(value);
    return true;
  }

  /// Escapes what means something in a query, and NUL, which is refused there; other bytes stand for themselves.
  void append(std::string_view text) {
    constexpr std::string_view digits = "0123456789ABCDEF";
    for (const char c : text) {
      if (c == '%' || c == '&' || c == '+' || c == '=' || c == '\0') {
        query_ += '%';
        query_ += digits[static_cast<unsigned char>(c) >> 4U];
        query_ += digits[static_cast<unsigned char>(c) & 15U];
      } else {
        query_ += c;
      }
    }
  }

  std::string query_;
  bool begun_ = false;
};

}  // namespace

std::optional<std::string> query_of_json(std::string_view json) {
  MemberReader reader;
  if (!nlohmann::json::sax_parse(json, &reader)) return std::nullopt;
  return reader.take_query();
}

}  // namespace ranged::server
