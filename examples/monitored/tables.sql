CREATE TABLE links (
  name text PRIMARY KEY CHECK (name ~ '^[a-z0-9-]+$'),
  url text NOT NULL,
  followed bigint NOT NULL DEFAULT 0
);

INSERT INTO links (name, url) VALUES ('start', 'https://example.org/');
