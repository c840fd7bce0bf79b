/** The body of every failed request: status >= 400, `Content-Type: application/json`. */
export interface ErrorResponse {
  message: string;
}
