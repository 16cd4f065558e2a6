#!/usr/bin/python3
"""Checks the structure of an OpenAPI 3.1 document, as far as this daemon's uses it. Prints what is wrong; exits 1 when anything is.

    openapi_lint.py [FILE]      config/openapi.json
"""
import json
import pathlib
import re
import sys

import jsonschema

# Members of each kind of object: those that must be there, and those that may (OpenAPI 3.1.0, section 4.8).
KINDS = {
    "document": ({"openapi", "info", "paths"}, {"jsonSchemaDialect", "servers", "webhooks", "components", "security", "tags", "externalDocs"}),
    "info": ({"title", "version"}, {"summary", "description", "termsOfService", "contact", "license"}),
    "license": ({"name"}, {"identifier", "url"}),
    "path": (set(), {"summary", "description", "servers", "parameters", "get", "head", "post"}),
    "operation": ({"operationId", "responses"}, {"tags", "summary", "description", "externalDocs", "parameters", "requestBody", "deprecated", "security", "servers"}),
    "body": ({"content"}, {"description", "required"}),
    "parameter": ({"name", "in", "schema"}, {"description", "required", "deprecated", "style", "explode", "example"}),
    "response": ({"description"}, {"headers", "content", "links"}),
    "header": ({"schema"}, {"description", "required", "deprecated", "example"}),
    "media": (set(), {"schema", "example", "encoding"}),
    "components": (set(), {"schemas", "responses", "parameters", "headers"}),
}


class Linter:
    def __init__(self, document):
        self.document, self.problems, self.used, self.operations = document, [], set(), set()

    def wrong(self, place, text):
        self.problems.append(f"{place}: {text}")

    def members(self, place, value, kind):
        """Whether `value` is an object of this kind, at least in the names of its members."""
        required, optional = KINDS[kind]
        if not isinstance(value, dict):
            self.wrong(place, f"no {kind}")
            return False
        for name in sorted(required - set(value)):
            self.wrong(place, f"a {kind} has {name}")
        for name in sorted(set(value) - required - optional):
            if not name.startswith("x-"):
                self.wrong(place, f"a {kind} has no {name}")
        return True

    def resolve(self, place, value):
        """What a reference stands for; the value itself when it is none."""
        while isinstance(value, dict) and "$ref" in value:
            reference = value["$ref"]
            self.used.add(reference)
            target = self.document
            for step in reference.removeprefix("#/").split("/"):
                if not reference.startswith("#/") or not isinstance(target, dict) or step not in target:
                    self.wrong(place, f"{reference} leads nowhere")
                    return {}
                target = target[step]
            value = target
        return value

    def schema(self, place, value):
        try:
            jsonschema.Draft202012Validator.check_schema(value)
        except jsonschema.SchemaError as error:
            self.wrong(place, error.message)
        self.references(place, value)

    def references(self, place, value):
        if isinstance(value, dict):
            if "$ref" in value:
                self.resolve(place, value)
            for member in value.values():
                self.references(place, member)
        elif isinstance(value, list):
            for member in value:
                self.references(place, member)

    def example(self, place, value):
        if "example" in value and "schema" in value:
            for error in validator(self.document, value["schema"]).iter_errors(value["example"]):
                self.wrong(place, f"its example: {error.message}")

    def parameter(self, place, value):
        value = self.resolve(place, value)
        if not self.members(place, value, "parameter"):
            return None
        if value.get("in") not in ("query", "header", "path", "cookie"):
            self.wrong(place, f"a parameter in {value.get('in')}")
        if value.get("in") == "path" and value.get("required") is not True:
            self.wrong(place, "a parameter of the path is required")
        self.schema(place, value.get("schema", {}))
        self.example(place, value)
        return value.get("in"), value.get("name")

    def response(self, place, value):
        value = self.resolve(place, value)
        if not self.members(place, value, "response"):
            return
        for name, header in value.get("headers", {}).items():
            where = f"{place} {name}"
            if self.members(where, header, "header"):
                self.schema(where, header.get("schema", {}))
                self.example(where, header)
        self.content(place, value.get("content", {}))

    def content(self, place, value):
        for name, media in value.items():
            where = f"{place} {name}"
            if not re.fullmatch(r"[\w.+*-]+/[\w.+*-]+", name):
                self.wrong(where, "no media type")
            if self.members(where, media, "media") and "schema" in media:
                self.schema(where, media["schema"])

    def operation(self, place, value, shared, template):
        if not self.members(place, value, "operation"):
            return
        name = value.get("operationId")
        if name in self.operations:
            self.wrong(place, f"a second {name}")
        self.operations.add(name)
        parameters = shared + [self.parameter(f"{place} parameter {i}", item) for i, item in enumerate(value.get("parameters", []))]
        if len(parameters) != len(set(parameters)):
            self.wrong(place, "a parameter twice")
        in_path = {name for where, name in filter(None, parameters) if where == "path"}
        if in_path != set(re.findall(r"\{(.+?)\}", template)):
            self.wrong(place, "the parameters of the path are not those of its template")
        if "requestBody" in value and self.members(f"{place} content", value["requestBody"], "body"):
            self.content(f"{place} content", value["requestBody"]["content"])
        if not value.get("responses"):
            self.wrong(place, "no responses")
        for status, response in value.get("responses", {}).items():
            if not re.fullmatch(r"[1-5][0-9][0-9]|[1-5]XX|default", status):
                self.wrong(place, f"a status of {status}")
            self.response(f"{place} {status}", response)

    def run(self):
        document = self.document
        if not self.members("document", document, "document"):
            return self.problems
        if not re.fullmatch(r"3\.1\.\d+", str(document.get("openapi"))):
            self.wrong("document", f"openapi {document.get('openapi')}")
        if self.members("info", document.get("info", {}), "info") and "license" in document["info"]:
            self.members("license", document["info"]["license"], "license")
        for template, path in document.get("paths", {}).items():
            if not template.startswith("/"):
                self.wrong(template, "a path begins with a slash")
            if not self.members(template, path, "path"):
                continue
            shared = [self.parameter(f"{template} parameter {i}", item) for i, item in enumerate(path.get("parameters", []))]
            for method in ("get", "head", "post"):
                if method in path:
                    self.operation(f"{method} {template}", path[method], shared, template)
        components = document.get("components", {})
        self.members("components", components, "components")
        for name, schema in components.get("schemas", {}).items():
            self.schema(f"schema {name}", schema)
        for kind, members in components.items():
            for name in members:
                if f"#/components/{kind}/{name}" not in self.used:
                    self.wrong(f"{kind} {name}", "nothing refers to it")
        return self.problems


def validator(document, schema):
    """Of a schema within the document, so that its references lead somewhere."""
    return jsonschema.Draft202012Validator({"$schema": "https://json-schema.org/draft/2020-12/schema", **schema,
                                            "components": document.get("components", {})})


def lint(document):
    """What is wrong with it, a line each."""
    return Linter(document).run()


def main():
    path = sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).parents[2] / "config/openapi.json"
    with open(path, encoding="utf-8") as file:
        problems = lint(json.load(file))
    print("\n".join(problems))
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
