"""From tokens to bytes and back: entropy coding of the token grid with an integer context model.

`bitstream` packs a grid `codes [F, T]` into a payload and puts the header of a file or stream in front of it.
`FIXED` payloads spend the same bits on every code.  For the other modes `rangecoder` asks `context` how
likely each code is, given those already coded, and spends close to minus log2 of that; `context_tables` reads
and writes the numbers that the context model computes with.

    bitstream  ->  rangecoder  ->  context  ->  context_tables

Everything here is integers, so that another machine arrives at the same bytes, and nothing here needs torch.
Damaged bytes give `InvalidPayload`, in memory that their number bounds.  The format is described in
`docs/spc-bitstream.md`.
"""
