CREATE TABLE entries (
  id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  name text NOT NULL CHECK (length(name) BETWEEN 1 AND 100),
  message text NOT NULL CHECK (length(message) BETWEEN 1 AND 1000),
  written_at timestamptz NOT NULL DEFAULT now()
);

INSERT INTO entries (name, message) VALUES ('Ada', 'The first entry, from the init script.');
