import pytest
import torch

from codecbench.errors import InvalidInput
from codecbench_spc.model.quantizer import Codebook, PatchVQ, ResidualVQ, check_bits


def learned(size=64, width=4):
    torch.manual_seed(0)
    book = Codebook(size, width)
    book.start(torch.randn(500, width))
    return book


@pytest.mark.parametrize("size", [64, 16, 1])
def test_assignment_is_the_nearest_of_the_first_codes(size):
    book = learned()
    vectors = torch.randn(300, 4)
    expected = torch.cdist(vectors.double(), book.codes[:size].double()).argmin(dim=1)
    assert torch.equal(book.assign(vectors, size), expected)


def test_codes_move_to_the_mean_of_what_they_get():
    book = Codebook(2, 1, decay=0.5, restart_below=0.0)
    book.codes.copy_(torch.tensor([[0.0], [10.0]]))
    book.start(torch.zeros(1, 1))
    vectors = torch.tensor([[1.0], [2.0], [3.0], [12.0]])
    for _ in range(60):
        book.learn(vectors, book.assign(vectors))
    torch.testing.assert_close(book.codes, torch.tensor([[2.0], [12.0]]), atol=1e-4, rtol=0)


def test_dead_codes_restart_from_the_batch():
    book = Codebook(8, 2)
    book.codes.copy_(torch.full((8, 2), 1000.0))
    book.codes[0] = 0.0
    book.start(torch.zeros(1, 2))
    vectors = torch.randn(400, 2)
    for _ in range(120):
        book.learn(vectors, book.assign(vectors))
    assert len(book.assign(vectors).unique()) == 8
    assert book.codes.abs().max() < 10.0


def test_start_keeps_the_codes_of_a_checkpoint():
    book = Codebook(8, 2)
    codes = torch.randn(8, 2)
    book.codes.copy_(codes)
    book.start(torch.zeros(20, 2))
    assert torch.equal(book.codes, codes)
    assert torch.equal(book.counts, torch.ones(8))


@pytest.mark.parametrize("bits", [12, 10, 8, 6])
def test_fewer_bits_use_the_first_codes(bits):
    torch.manual_seed(0)
    quantizer = PatchVQ(16, 4, 4096)
    quantizer.codebook.start(torch.randn(5000, 4))
    codes = quantizer.encode(torch.randn(1, 16, 20, 30), bits)
    assert codes.shape == (1, 20, 30)
    assert codes.dtype == torch.int64
    assert int(codes.max()) < 1 << bits
    assert len(codes.unique()) > min(1 << bits, 600) // 3


def test_each_item_of_a_batch_has_its_bits():
    torch.manual_seed(0)
    quantizer = PatchVQ(16, 4, 4096)
    z = torch.randn(4, 16, 20, 8)
    out, codes, commitment = quantizer(z, torch.tensor([12, 10, 8, 6]))
    assert [int(row.max()) < limit for row, limit in zip(codes, (4096, 1024, 256, 64), strict=True)] == [
        True
    ] * 4
    assert out.shape == z.shape
    assert commitment > 0


def test_rates_may_have_codebooks_of_their_own():
    torch.manual_seed(0)
    quantizer = PatchVQ(16, 4, 4096, nested=False)
    z = torch.randn(4, 16, 20, 8)
    _, codes, _ = quantizer(z, torch.tensor([12, 10, 8, 6]))
    assert [quantizer.book(bits).size for bits in (12, 10, 8, 6)] == [4096, 1024, 256, 64]
    before = [quantizer.book(bits).codes.clone() for bits in (12, 10, 8, 6)]
    quantizer(z[:1], torch.tensor([8]))
    moved = [
        not torch.equal(quantizer.book(b).codes, old) for b, old in zip((12, 10, 8, 6), before, strict=True)
    ]
    assert moved == [False, False, True, False]
    quantizer.eval()
    out, codes, _ = quantizer(z, torch.tensor([6, 6, 6, 6]))
    torch.testing.assert_close(quantizer.decode(codes, 6), out, rtol=1e-4, atol=1e-5)
    assert not torch.equal(quantizer.decode(codes, 6), quantizer.decode(codes, 12))


def test_gradients_pass_straight_through():
    torch.manual_seed(0)
    quantizer = PatchVQ(8, 4, 64)
    z = torch.randn(1, 8, 20, 4, requires_grad=True)
    out, _, _ = quantizer(z, torch.tensor([6]))
    out.sum().backward()
    expected = (quantizer.outward.weight.sum(dim=0) @ quantizer.inward.weight).view(1, 8, 1, 1)
    torch.testing.assert_close(z.grad, expected.expand_as(z), rtol=1e-4, atol=1e-5)


def residual():
    torch.manual_seed(0)
    return ResidualVQ(8, 20, 32, books=30, size=256)


@pytest.mark.parametrize(("bits", "books"), [(12, 30), (10, 25), (8, 20), (6, 15)])
def test_residual_books_follow_the_bits(bits, books):
    quantizer = residual()
    quantizer(torch.randn(2, 8, 20, 6), torch.tensor([12, 12]))
    quantizer.eval()
    z = torch.randn(2, 8, 20, 6)
    codes = quantizer.encode(z, bits)
    assert codes.shape == (2, books, 6)
    out, seen, _ = quantizer(z, torch.tensor([bits, bits]))
    assert torch.equal(seen[:, :books], codes)
    torch.testing.assert_close(quantizer.decode(codes, bits), out, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("bits", [0, 5, 7, 13])
def test_other_rates_are_refused(bits):
    with pytest.raises(InvalidInput, match="choose one of 12, 10, 8, 6"):
        check_bits(bits)


def test_paired_rows_share_a_token_at_the_lowest_rate():
    torch.manual_seed(0)
    quantizer = PatchVQ(16, 4, 4096, nested=False, paired=True)
    z = torch.randn(2, 16, 20, 8)
    out, _, _ = quantizer(z, torch.tensor([12, 6]))
    quantizer.eval()
    codes = quantizer.encode(z, 6)
    assert codes.shape == (2, 10, 8)
    assert int(codes.max()) >= 64
    # The nearest of the codes for two rows one upon the other, and both rows from it.
    rows = quantizer.inward(z.permute(0, 2, 3, 1))
    pair = torch.cat([rows[1, 6, 5], rows[1, 7, 5]])
    nearest = torch.cdist(pair[None].double(), quantizer.lower[2].codes.double()).argmin()
    assert codes[1, 3, 5] == nearest
    upper, lower = quantizer.lower[2].codes[nearest].split(4)
    decoded = quantizer.decode(codes, 6)
    torch.testing.assert_close(decoded[1, :, 6, 5], quantizer.outward(upper))
    torch.testing.assert_close(decoded[1, :, 7, 5], quantizer.outward(lower))
    assert quantizer.encode(z, 12).shape == (2, 20, 8)
    assert out.shape == z.shape
