-- What the analyst wrote to a decision.
ALTER TABLE decisions ADD COLUMN note TEXT;
