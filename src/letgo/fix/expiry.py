"""Whether what a session has loaded stays loaded when it commits."""

from letgo.fix.patient import Patient
from letgo.source.program import Const


def keeps_rows(patient: Patient, session: str) -> bool:
    """Whether rows of the session can be read after its commit without a query: `expire_on_commit=False` for certain.

    Of an endpoint's session that was found out; of others it is so where the whole code base makes no other session.
    """
    known = {ending.expire_on_commit for ending in patient.endings if ending.parameter == session}
    if known - {None}:
        return known == {False}
    makers = patient.ward.makers
    return bool(makers) and all(("expire_on_commit", Const(False)) in maker.keywords for maker in makers)
