"""I: ports that lead nowhere, or are open when they are not."""

from __future__ import annotations

from sandbook.api import PortUrl
from sandbook.errors import PortClosed
from tests.conformance.mutants.wrap import MutantSandbox, breaks

LOCAL = "sandbook_local:INFO"


@breaks("I113", base=LOCAL)
class GivesThePortOfThisComputer(MutantSandbox):
    async def port(self, number: int) -> PortUrl:
        await super().port(number)
        return PortUrl(url=f"http://127.0.0.1:{number}")


@breaks("I113b", base=LOCAL)
class OpensWhatIsClosed(MutantSandbox):
    async def port(self, number: int) -> PortUrl:
        try:
            return await super().port(number)
        except PortClosed:
            return PortUrl(url=f"http://127.0.0.1:{number}")


@breaks("I113b", base=LOCAL)
class SaysNotWhichPort(MutantSandbox):
    async def port(self, number: int) -> PortUrl:
        try:
            return await super().port(number)
        except PortClosed as error:
            raise PortClosed(
                "connection refused", provider=error.provider, operation="port"
            ) from error
