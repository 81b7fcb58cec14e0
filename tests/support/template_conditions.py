"""Resolves parameters and conditions as CloudFormation does, as far as the template uses them."""

import re
from collections.abc import Mapping
from typing import Any

NO_VALUE = object()


def resolve(value: Any, template: Mapping[str, Any], parameters: Mapping[str, str]) -> Any:
    """A value of a template with these parameters and the defaults of the others. Other intrinsics remain."""

    def substituted(name: str, variables: Mapping[str, Any]) -> str:
        return str(resolved(variables.get(name, {"Ref": name})))

    def resolved(each: Any) -> Any:
        if isinstance(each, list):
            return [item for item in map(resolved, each) if item is not NO_VALUE]
        if not isinstance(each, dict):
            return each
        match each:
            case {"Ref": "AWS::NoValue"}:
                return NO_VALUE
            case {"Ref": name} if name in template["Parameters"]:
                return parameters[name] if name in parameters else template["Parameters"][name]["Default"]
            case {"Fn::If": [condition, then, otherwise]}:
                return resolved(then if resolved(template["Conditions"][condition]) else otherwise)
            case {"Fn::Equals": [one, other]}:
                return str(resolved(one)) == str(resolved(other))
            case {"Fn::Not": [condition]}:
                return not resolved(condition)
            case {"Fn::Split": [separator, text]}:
                return resolved(text).split(separator)
            case {"Fn::Join": [separator, parts]}:
                return separator.join(resolved(parts))
            case {"Fn::Select": [index, items]}:
                return resolved(items)[index]
            case {"Fn::Sub": [text, variables]}:
                return re.sub(r"\$\{(\w+)\}", lambda found: substituted(found[1], variables), text)
        items = {name: resolved(item) for name, item in each.items()}
        return {name: item for name, item in items.items() if item is not NO_VALUE}

    return resolved(value)
