"""What CloudFormation makes of conditions and parameters, as far as the template uses them."""

from collections.abc import Mapping
from typing import Any

NO_VALUE = object()


def resolved(value: Any, template: Mapping[str, Any], parameters: Mapping[str, str]) -> Any:
    """A value of a template under `parameters`, defaults for the others: no Ref to one, no Fn::If is left."""

    def resolve(each: Any) -> Any:
        if isinstance(each, list):
            return [item for item in map(resolve, each) if item is not NO_VALUE]
        if not isinstance(each, dict):
            return each
        match each:
            case {"Ref": "AWS::NoValue"}:
                return NO_VALUE
            case {"Ref": name} if name in template["Parameters"]:
                return parameters.get(name, template["Parameters"][name]["Default"])
            case {"Fn::If": [condition, then, otherwise]}:
                return resolve(then if resolve(template["Conditions"][condition]) else otherwise)
            case {"Fn::Equals": [one, other]}:
                return str(resolve(one)) == str(resolve(other))
            case {"Fn::Not": [condition]}:
                return not resolve(condition)
            case {"Fn::Split": [separator, text]}:
                return resolve(text).split(separator)
        items = {name: resolve(item) for name, item in each.items()}
        return {name: item for name, item in items.items() if item is not NO_VALUE}

    return resolve(value)
