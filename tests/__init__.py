import pytest

pytest.register_assert_rewrite("tests.support")  # so that a failed assertion there shows its values
